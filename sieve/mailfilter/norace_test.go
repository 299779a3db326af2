//go:build !race

package mailfilter_test

const slower = 1
