//go:build race

package interp_test

// poolAllocations is what a run may allocate: under the race detector, a
// sync.Pool forgets a part of what it is given.
const poolAllocations = 64
