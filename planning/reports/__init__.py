"""Pages: a run's results become offline HTML files, one page = one file.

    pages       one page a notebook, and the run's own page telling the story in order
    gallery     reports/index.html: every run, sifted and searched; and the trends of key numbers
    compare     two runs side by side
    pdf         a page as PDF, where a Chromium is found
    record      what pages read: run.json and the notebooks' manifests, nothing else
    tables      frames of the manifest as HTML tables; heat maps among them

This floor is the only importer of jinja2. Nothing is imported here: a notebook should not pay for it.
"""
