"""`python -m documents`: write every document that is made from the code."""

from documents import environment, errors

for document in (environment, errors):
    document.PATH.write_text(document.render(), encoding="utf-8")
    print(document.PATH.name)
