package interp

import (
	"slices"
	"sync"
	"time"

	"github.com/oxmailroute/oxmailroute/sieve"
)

// own is what options have for one script.
type own struct {
	name, userEmail string
	scripts         Scripts
}

// circumstances are the options that many programs share, with the defaults.
type circumstances struct {
	options      Options // as they were given, without what belongs to one script
	delimiter    string
	maxRedirects int
	maxActions   int // < 0: none
	maxSteps     int64
	autoCreate   bool
	store        Store
	redirectKeep time.Duration
	settings     Settings // with the defaults
	pigeonhole24 bool
	trace        bool
	extensions   sieve.Extensions
}

// known are those of the last programs.
var known struct {
	sync.Mutex
	list [8]*circumstances
	next int
}

// sharedCircumstances returns the circumstances of the options: those of another
// program where they are the same, as they are most of the time.
func sharedCircumstances(o *Options) *circumstances {
	known.Lock()
	defer known.Unlock()
	for _, x := range known.list {
		if x != nil && o.same(&x.options) {
			return x
		}
	}
	x := newCircumstances(*o)
	known.list[known.next%len(known.list)] = x
	known.next++
	return x
}

func newCircumstances(o Options) *circumstances {
	o.Name, o.UserEmail, o.Scripts = "", "", nil
	e := &o.Settings.EditHeader
	e.NoAdd, e.NoDelete = slices.Clone(e.NoAdd), slices.Clone(e.NoDelete)
	p := &circumstances{
		options: o, autoCreate: o.AutoCreate, trace: o.Trace, delimiter: o.Delimiter, extensions: o.Extensions,
		maxRedirects: o.MaxRedirects, maxActions: o.MaxActions, maxSteps: o.MaxSteps,
		store: o.Store, redirectKeep: o.RedirectPeriod,
	}
	p.pigeonhole24 = p.extensions.Has(sieve.Pigeonhole24)
	p.settings = o.Settings.filled(p.pigeonhole24)
	if p.redirectKeep == 0 {
		p.redirectKeep = 12 * time.Hour
	}
	if p.delimiter == "" {
		p.delimiter = "+"
	}
	if p.extensions == 0 {
		p.extensions = sieve.Debian12
	}
	if p.maxSteps <= 0 {
		p.maxSteps = 1 << 30
	}
	if p.maxRedirects == 0 {
		p.maxRedirects = 4
	}
	if p.maxActions == 0 {
		p.maxActions = 32
	}
	return p
}

// same reports whether two options are the same but for the name, the user's
// address and the scripts.
func (o *Options) same(x *Options) bool {
	a, b := &o.Settings, &x.Settings
	return o.Extensions == x.Extensions && o.Delimiter == x.Delimiter && o.MaxRedirects == x.MaxRedirects &&
		o.MaxActions == x.MaxActions && o.AutoCreate == x.AutoCreate && o.Store == x.Store &&
		o.RedirectPeriod == x.RedirectPeriod && o.MaxSteps == x.MaxSteps && o.Trace == x.Trace &&
		a.Vacation == b.Vacation && a.MaxIncludes == b.MaxIncludes && a.MaxIncludeDepth == b.MaxIncludeDepth &&
		a.MaxVariables == b.MaxVariables && a.MaxVariableSize == b.MaxVariableSize &&
		a.DuplicatePeriod == b.DuplicatePeriod && a.DuplicateMax == b.DuplicateMax &&
		a.RedirectFrom == b.RedirectFrom && a.NotifyFrom == b.NotifyFrom && a.EditHeader.MaxSize == b.EditHeader.MaxSize &&
		slices.Equal(a.EditHeader.NoAdd, b.EditHeader.NoAdd) && slices.Equal(a.EditHeader.NoDelete, b.EditHeader.NoDelete)
}
