//go:build !race

package interp_test

// poolAllocations is what a run may allocate.
const poolAllocations = 0

// memoryTests is how many tests a script has whose memory is measured.
const memoryTests = 400
