"""Tables, figures and the report page, made from scored runs."""
