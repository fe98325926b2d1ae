"""Every fault by its name, for the tests, the random combinations and the benchmark."""

from tests.chaos import process_faults as process_faults
from tests.chaos import redis_faults as redis_faults
from tests.chaos.fault_list import FAULTS as FAULTS
from tests.chaos.fault_list import Fault as Fault
