"""Networks of several members, whose answers are added up."""

from nas.models.layers.kind import TrainingKind


class OwnLosses(TrainingKind):
    """Each branch of the fork that the network ends in learns by a loss of its own, as if the others answered as it does.

    So what is added up are answers of networks that go wrong each in its way, and not parts of one (Dutt et al. 2017,
    arXiv:1709.06053; Lee et al. 2015, arXiv:1511.06314). The fork merges by `add`, each of its branches
    ending in a `head`. The protocol `contrastive` reads it.
    """
