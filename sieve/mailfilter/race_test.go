//go:build race

package mailfilter_test

// slower is how many times fewer scripts are generated under the race detector,
// where each takes ten times as long; nothing here is concurrent.
const slower = 5
