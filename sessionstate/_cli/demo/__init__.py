"""
`sessionstate demo`: one traffic, two servers, and what each has left.

`traffic` says what happens, `plain` and `scoped` are the two servers to compare, `server` and
`clients` are the programs that run them and talk to them, `stage` brings all of it together, and
`report`, `chart` and `page` show it.
"""
