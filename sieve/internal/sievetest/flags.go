package sievetest

import "github.com/oxmailroute/oxmailroute/internal/servertest"

// Seed is of the generated scripts and messages.
var Seed = servertest.Seed

// ScriptSize is the bound of the generated scripts of the whole language.
const ScriptSize = 5

// Ptr returns a pointer to a copy of v.
func Ptr[T any](v T) *T { return &v }
