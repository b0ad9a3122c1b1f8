"""Other ways to do the job: the benchmark's policy on the same files, down to the same dispositions.

Each reads the exports, leaves out rows that do not parse, finds who is one person, applies the five purposes, people's
words and restrictions (rules.md), and writes one row a record and data category. None validates, encrypts, keeps
evidence, remembers or seals: what they cost is compared with the product's way to dispositions alone. They know what
the sample company needs: a request that names a customer, and none that names a contact or an address.
"""
