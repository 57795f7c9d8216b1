"""Canonical tables: their fields as data, and everything that follows from the fields.

schema      the fields of each table, from fields/*.csv
headers     which column of an export is which field, with best guesses for the rest
numbers     text → numbers: decimal comma, thousands marks, units
dates       text → dates: ISO, a declared format, or proof of the order; ambiguous ones refused
dialects    Salesforce, HubSpot and Chinese exports: what they mean by a probability, a status, an identifier
canonical   a raw table → the canonical frame, with every fault found
checks      what one table, and all tables together, must obey
dictionary  data/README.md, generated from the fields

Reading files is one floor up: `planning.sources.read_table`, `read_frame` and `check_all`.
"""

from planning.tables.schema import Field, fields, fields_for, key_of, table_names

__all__ = ["Field", "fields", "fields_for", "key_of", "table_names"]
