"""Several hosts on one machine: the lab, the demo, and the tests that move real packets."""

import warnings

# The ovs package imports eventlet where some other package has brought it along, and nothing here uses it.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
