"""Planning grows linearly with the grid."""

import resource

from running import copy_project, output, snakemake, write_config


def seconds_to_plan(folder, n_runs):
    config = write_config(folder, f"grid{n_runs}.yaml", seeds=list(range(n_runs)))
    before = processor_time()
    result = snakemake(folder, "all", "-n", "--quiet", "rules", "--configfile", config)
    assert result.returncode == 0, output(result)
    return processor_time() - before


def processor_time():
    """Of all processes that this one started, which other processes of the machine do not slow."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_ten_times_the_runs_take_about_ten_times_as_long(tmp_path):
    """What a call costs without any run is taken off; a squared cost would give a ratio of 100."""
    folder = copy_project(tmp_path)
    seconds_to_plan(folder, 2)
    fixed, small, large = (seconds_to_plan(folder, n) for n in (2, 100, 1000))
    assert large < 15
    assert large - fixed < 20 * max(small - fixed, 0.1)
