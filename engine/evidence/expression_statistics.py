"""How expressions occur together: where their measured mean 53 and covariance 53×53 lie.

lab/measure_statistics.py makes the file and says from which recording.
"""

from pathlib import Path

STATISTICS = Path(__file__).with_name('expression_statistics.npz')
