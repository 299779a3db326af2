//go:build !race

package sieve_test

// poolAllocations is what a run may allocate.
const poolAllocations = 0
