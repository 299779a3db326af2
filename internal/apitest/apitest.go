// Package apitest holds nothing but tests: every exported function and method
// of the module is called there with zero, nil and nested-nil values.
package apitest
