//go:build !race

package sieve

// poolAllocations is what a run may allocate.
const poolAllocations = 0
