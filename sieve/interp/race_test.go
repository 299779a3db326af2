//go:build race

package interp_test

// poolAllocations is what a run may allocate: under the race detector, a
// sync.Pool forgets a part of what it is given.
const poolAllocations = 64

// memoryTests is how many tests a script has whose memory is measured: the race
// detector takes thirty times as long and more, and has nothing to find in one run.
const memoryTests = 8
