import doctest

from planning import calendar, errors, language


def test_exit_codes():
    codes = {
        cls.__name__: cls.exit_code
        for cls in (errors.DataError, errors.UsageError, errors.ConfigError, errors.ModelError, errors.NotebookError)
    }
    assert codes == {"DataError": 1, "UsageError": 2, "ConfigError": 2, "ModelError": 3, "NotebookError": 3}


def test_a_fault_names_file_row_column_and_the_way_out():
    fault = errors.Fault("sales.csv", 7, "amount", "found 'abc'", "Write a number.")
    assert fault.line() == "sales.csv, row 7, column amount: found 'abc'. Write a number."
    with language.use("zh"):
        assert fault.line() == "sales.csv，第 7 行，amount 列：found 'abc'。Write a number."
    assert str(errors.DataError(faults=[fault, fault])).count("\n") == 1
    assert (
        errors.Fault("sales.csv", None, None, "is empty", "Export it again.").line()
        == "sales.csv: is empty. Export it again."
    )


def test_nearest_name():
    assert errors.nearest("Regon", ["Region", "line"]) == "Region"
    assert errors.nearest("xyzzy", ["Region", "line"]) is None
    assert errors.did_you_mean("xyzzy", ["Region"]) == ""


def test_examples():
    for module in (errors, calendar):
        result = doctest.testmod(module)
        assert result.attempted and not result.failed
