"""Three small knowledge graphs: Nations, Kinships and UMLS (Kemp et al. 2006): which entity is at a link's other end?"""

from nas.benchmark import Benchmark, Budget, Features, Objective, Query, Recipe, Signature


def _benchmark(
    name: str, entities: int, relations: int, epochs: tuple[int, int], summary: str, floor: tuple[float, float, float]
) -> Benchmark:
    return Benchmark(
        name=name,
        version=1,
        summary=summary,
        signature=Signature(Query(entities, relations), Features(entities)),
        objectives=(Objective("validation_mrr", "maximize"),),
        budget=Budget(epochs=epochs[0]),
        final_budget=Budget(epochs=epochs[1]),
        recipe=Recipe(batch_size=256, learning_rate=0.01, weight_decay=0.0),
        task=f"benchmarks.knowledge_graphs.task:load_{name}",
        source="C. Kemp et al., AAAI 2006, as split by T. Dettmers et al., 2018; the pip package pykeen",
        licence="not stated by the data's authors; the package pykeen says MIT of itself",
        floor=dict(zip(("test_mrr", "test_hits_at_1", "test_hits_at_10"), floor, strict=True)),
        floor_by="ranking by popularity",
        protocol="link_prediction",
    )


NATIONS = _benchmark(
    "nations", 14, 55, (20, 40), "1,992 links of 55 kinds between 14 nations of the 1950s", (0.5587, 0.3333, 0.9577)
)
KINSHIPS = _benchmark(
    "kinships", 104, 25, (10, 20), "10,686 links of 25 kinds of kinship between 104 people", (0.1125, 0.0377, 0.2505)
)
UMLS = _benchmark("umls", 135, 46, (15, 30), "6,529 links of 46 kinds between 135 concepts of medicine", (0.6718, 0.5378, 0.8880))
