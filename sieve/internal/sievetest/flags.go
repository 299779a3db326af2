package sievetest

import (
	"flag"
)

// Flags of the tests.
var (
	Seed          = flag.Uint64("seed", 1, "of the generated scripts and messages")
	ScriptCount   = flag.Int("scripts", 150, "generated scripts")
	ScriptSize    = flag.Int("size", 5, "bound of the generated scripts of the whole language")
	SequenceCount = flag.Int("sequences", 200, "generated sequences of scripts")
)

// Ptr returns a pointer to a copy of v.
func Ptr[T any](v T) *T { return &v }
