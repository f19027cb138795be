"""Tables, effects, figures and the page, all made from scored runs."""
