"""The sample company: an industrial supplier whose every table is drawn from a stated truth.

    generate(seed, scale) ──▶ Company: a dict of tables, with `.truth`      write(folder, seed, scale) ──▶ CSV files

About EUR 118 m of sales in 2026; 6 regions x 5 lines x 3 customer types by month from January 2021 to December 2026,
60 sales people, about 4,000 deals, weekly spend. The same seed gives the same bytes.
"""

from planning.sample.assemble import Company, generate
from planning.sample.folder import TABLES, write

__all__ = ["TABLES", "Company", "generate", "write"]
