package apitest_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestImmutable changes everything that methods without arguments hand out and
// asks again.
func TestImmutable(t *testing.T) {
	changed := 0
	for _, value := range whole(t) {
		v := reflect.ValueOf(value)
		if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct || hasExported(v.Elem().Type()) {
			continue // its fields are the caller's
		}
		for i := range v.NumMethod() {
			name := v.Type().String() + "." + v.Type().Method(i).Name
			if f := v.Method(i); f.Type().NumIn() == 0 && f.Type().NumOut() > 0 {
				before, keep := f.Call(nil), f.Call(nil)
				for _, out := range before {
					changed += spoil(out, false)
				}
				for j, out := range f.Call(nil) {
					if diff := cmp.Diff(keep[j].Interface(), out.Interface(), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
						t.Errorf("%s hands out its insides:\n%s", name, diff)
					}
				}
			}
		}
	}
	if changed < 100 {
		t.Errorf("only %d values could be changed", changed)
	}
}

func hasExported(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).IsExported() {
			return true
		}
	}
	return false
}

// spoil changes everything behind v that a caller could, and says how much. Set
// is whether v itself can be changed.
func spoil(v reflect.Value, set bool) int {
	n := 0
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			n += spoil(v.Elem(), true)
		}
	case reflect.Interface:
		if !v.IsNil() {
			n += spoil(v.Elem(), false)
		}
	case reflect.Slice:
		for i := range v.Len() {
			n += spoil(v.Index(i), true)
		}
		if n == 0 && v.Len() > 0 {
			v.Index(0).SetZero()
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			n += spoil(v.MapIndex(k), false) + 1
			v.SetMapIndex(k, reflect.Value{})
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				n += spoil(v.Field(i), set)
			}
		}
	case reflect.String:
		if set && v.CanSet() {
			v.SetString(v.String() + "spoilt")
			n++
		}
	case reflect.Uint8:
		if set && v.CanSet() {
			v.SetUint(v.Uint() ^ 1)
			n++
		}
	case reflect.Bool:
		if set && v.CanSet() {
			v.SetBool(!v.Bool())
			n++
		}
	}
	return n
}
