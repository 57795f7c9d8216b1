"""The sales planning workbench: from a company's exports to an annual plan with stated chances.

The floors of the package, imports pointing down only, are drawn in ARCHITECTURE.md. Nothing is imported here:
`import planning` costs milliseconds, and each floor brings in only what it uses.
"""

__version__ = "0.1.0"
