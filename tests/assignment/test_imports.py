import subprocess
import sys

from config.paths import REPOSITORY


def test_hot_path__the_edge_and_its_door__load_without_django():
    program = "import sys, assignment.ofrep, assignment.edge; sys.exit('django' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)
