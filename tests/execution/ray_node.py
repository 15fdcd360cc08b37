"""One node of a Ray cluster on this machine, until it is killed: `python ray_node.py FOLDER CPUS [ADDRESS]`.

Without the head's address it is the head. `ray start` would do the same, but listens on all interfaces where there are several.
"""

import signal
import sys

from ray._private.node import Node
from ray._private.parameter import RayParams

folder, cpus, *address = sys.argv[1:]
given = {"gcs_address": address[0], "include_log_monitor": False} if address else {"include_dashboard": False}
params = RayParams(
    num_cpus=int(cpus),
    num_gpus=0,
    object_store_memory=80 * 2**20,
    temp_dir=folder,
    node_ip_address="127.0.0.1",
    min_worker_port=0,
    max_worker_port=0,
    **given,
)
node = Node(params, head=not address, shutdown_at_exit=False, spawn_reaper=False)
sys.stdout.write(f"{node.gcs_address}\n")
sys.stdout.flush()
signal.pause()
