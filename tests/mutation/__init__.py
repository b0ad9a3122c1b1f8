"""Which parts of the rules' SQL does no test hold? One thing of a SELECT is changed at a time, and the tests are asked.

`python -m tests.mutation sql/purposes/debt_collection.sql` tells the changes that nobody notices. Some of them change
nothing: a person reads them. No test of the suite asks all of it, which takes hours.
"""
