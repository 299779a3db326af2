package apitest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/oxmailroute/oxmailroute/relay/deploy"
)

// maker makes the values that functions are called with.
type maker struct {
	types []reflect.Type // those that are exported, for interfaces
	fixed map[reflect.Type][]reflect.Value
	seeds map[reflect.Type][]reflect.Value // whole values, of which single fields are replaced
	memo  map[key][]reflect.Value
}

type key struct {
	t     reflect.Type
	depth int
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	m := &maker{fixed: map[reflect.Type][]reflect.Value{}, seeds: map[reflect.Type][]reflect.Value{}, memo: map[key][]reflect.Value{}}
	for _, dir := range sorted(surface) {
		for _, name := range sorted(surface[dir].types) {
			m.types = append(m.types, surface[dir].types[name])
		}
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	fix := func(i any, values ...any) {
		for _, v := range values {
			m.fixed[reflect.TypeOf(i).Elem()] = append(m.fixed[reflect.TypeOf(i).Elem()], reflect.ValueOf(v))
		}
	}
	fix((*context.Context)(nil), over)
	fix((*error)(nil), nil, errors.New("x"))
	fix((*fs.FS)(nil), nil, fstest.MapFS{}, (fstest.MapFS)(nil))
	fix((*io.Reader)(nil), nil, strings.NewReader(""))
	fix((*net.Conn)(nil), nil, deadConn{})
	fix((**regexp.Regexp)(nil), (*regexp.Regexp)(nil), regexp.MustCompile("x")) // package regexp makes the others
	fix((*time.Time)(nil), time.Time{})
	fix((*time.Duration)(nil), time.Duration(0), time.Duration(-1))
	// Nothing is written where the test stands.
	root := t.TempDir()
	fix((*deploy.Local)(nil), deploy.Local{Dir: root})
	fix((**deploy.Local)(nil), (*deploy.Local)(nil), &deploy.Local{Dir: root})
	return m
}

// deadConn is a connection that is closed.
type deadConn struct{}

func (deadConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (deadConn) Write([]byte) (int, error)        { return 0, os.ErrClosed }
func (deadConn) Close() error                     { return nil }
func (deadConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (deadConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (deadConn) SetDeadline(time.Time) error      { return nil }
func (deadConn) SetReadDeadline(time.Time) error  { return nil }
func (deadConn) SetWriteDeadline(time.Time) error { return nil }

// seed gives a whole value of its type.
func (m *maker) seed(values ...any) {
	for _, v := range values {
		m.seeds[reflect.TypeOf(v)] = append(m.seeds[reflect.TypeOf(v)], reflect.ValueOf(v))
	}
}

// values are the zero value, nil, and values with zero, nil and nil in them.
func (m *maker) values(t reflect.Type, depth int) []reflect.Value {
	if v, ok := m.fixed[t]; ok {
		l := make([]reflect.Value, len(v))
		for i := range v {
			l[i] = reflect.New(t).Elem()
			if v[i].IsValid() {
				l[i].Set(v[i])
			}
		}
		return l
	}
	k := key{t, depth}
	if l, ok := m.memo[k]; ok {
		return l
	}
	l := m.make(t, depth)
	m.memo[k] = l
	return l
}

func (m *maker) make(t reflect.Type, depth int) []reflect.Value {
	zero := reflect.Zero(t)
	l := []reflect.Value{zero}
	of := func(v any) { l = append(l, reflect.ValueOf(v).Convert(t)) }
	switch t.Kind() {
	case reflect.Bool:
		of(true)
	case reflect.String:
		of("x")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64:
		of(1)
		of(-1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		of(1)
		v := reflect.New(t).Elem()
		v.SetUint(1<<(t.Bits()-1) - 1 + 1<<(t.Bits()-1))
		l = append(l, v)
	case reflect.Func:
		l = append(l, reflect.MakeFunc(t, func([]reflect.Value) []reflect.Value {
			out := make([]reflect.Value, t.NumOut())
			for i := range out {
				out[i] = reflect.Zero(t.Out(i))
			}
			return out
		}))
	case reflect.Slice:
		for _, e := range m.inner(t.Elem(), depth) {
			s := reflect.MakeSlice(t, 1, 1)
			s.Index(0).Set(e)
			l = append(l, s)
		}
	case reflect.Map:
		for _, e := range m.inner(t.Elem(), depth) {
			for _, k := range m.inner(t.Key(), depth) {
				if k.Comparable() {
					v := reflect.MakeMap(t)
					v.SetMapIndex(k, e)
					l = append(l, v)
				}
			}
		}
	case reflect.Pointer:
		for _, e := range m.inner(t.Elem(), depth) {
			p := reflect.New(t.Elem())
			p.Elem().Set(e)
			l = append(l, p)
		}
	case reflect.Interface:
		for _, impl := range m.types {
			for _, i := range []reflect.Type{impl, reflect.PointerTo(impl)} {
				if i.Kind() == reflect.Interface || !i.Implements(t) {
					continue
				}
				for _, e := range m.inner(i, depth) {
					if e.Kind() == reflect.Pointer && e.IsNil() && impl.Implements(t) && open(t) {
						continue // its own value methods panic, whoever calls them
					}
					v := reflect.New(t).Elem()
					v.Set(e)
					l = append(l, v)
				}
			}
		}
	case reflect.Struct:
		l = append(l, m.structs(t, depth)...)
	}
	return append(l, m.seeds[t]...)
}

// open says that other packages can implement the interface.
func open(t reflect.Type) bool {
	for i := range t.NumMethod() {
		if !t.Method(i).IsExported() {
			return false
		}
	}
	return true
}

// inner are the values inside a value: the zero one at the end of the depth.
func (m *maker) inner(t reflect.Type, depth int) []reflect.Value {
	if _, fixed := m.fixed[t]; fixed || depth > 0 {
		return m.values(t, depth-1)
	}
	return []reflect.Value{reflect.Zero(t)}
}

// structs replaces each field of the zero value and of each seed by each value
// of it, and fills all of them.
func (m *maker) structs(t reflect.Type, depth int) []reflect.Value {
	var l []reflect.Value
	full := reflect.New(t).Elem()
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			continue
		}
		values := m.inner(t.Field(i).Type, depth)
		for _, base := range append([]reflect.Value{reflect.Zero(t)}, m.seeds[t]...) {
			for _, e := range values {
				v := reflect.New(t).Elem()
				v.Set(base)
				v.Field(i).Set(e)
				l = append(l, v)
			}
		}
		full.Field(i).Set(values[len(values)-1])
	}
	return append(l, full)
}

// try calls f with the arguments and returns what went wrong.
func try(f reflect.Value, args []reflect.Value) (out []reflect.Value, what string) {
	type answer struct {
		out  []reflect.Value
		what string
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if r := recover(); r != nil {
				a.what = describe(r)
			}
			done <- a
		}()
		if f.Type().IsVariadic() {
			a.out = f.CallSlice(args)
		} else {
			a.out = f.Call(args)
		}
	}()
	timer := timers.Get().(*time.Timer)
	timer.Reset(5 * time.Second)
	defer timers.Put(timer)
	defer timer.Stop()
	select {
	case a := <-done:
		return a.out, a.what
	case <-timer.C:
		return nil, "takes longer than 5 s"
	}
}

var timers = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}
