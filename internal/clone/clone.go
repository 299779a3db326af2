// Package clone copies values that are handed out, so that whoever gets them
// can change what they hold.
package clone

import "reflect"

// Of copies v with everything that its exported fields, elements and pointers
// reach. What unexported fields hold is shared.
func Of[T any](v T) T {
	r := reflect.ValueOf(&v).Elem()
	r.Set(of(r))
	return v
}

func of(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			out.Set(of(v.Elem()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(of(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(of(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
			for i := v.MapRange(); i.Next(); {
				out.SetMapIndex(i.Key(), of(i.Value()))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			out.Index(i).Set(of(v.Index(i)))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(of(v.Field(i)))
			}
		}
	}
	return out
}
