"""One thread, so that figures do not depend on who else is at work."""

import torch

torch.set_num_threads(1)
