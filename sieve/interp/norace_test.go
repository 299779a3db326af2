//go:build !race

package interp_test

// poolAllocations is what a run may allocate.
const poolAllocations = 0
