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


def test_each_run_takes_the_same_time_to_plan_in_a_large_grid(tmp_path):
    """The second thousand runs cost what the first do; with a squared cost it would be thrice."""
    folder = copy_project(tmp_path)
    fixed, half, whole = (seconds_to_plan(folder, n) for n in (2, 1000, 2000))
    assert whole < 30  # 15 on an idle machine
    assert whole - half < 2 * (half - fixed)
