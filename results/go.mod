// A module of its own, without code, so that whoever depends on Roost does not
// download its results.
module github.com/roost-rt/roost/results

go 1.26.0
