import pytest

# Failed assertions in helpers show their values, as those in tests do.
pytest.register_assert_rewrite("tests.helpers", "tests.dashboard.helpers")
