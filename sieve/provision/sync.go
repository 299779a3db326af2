package provision

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// Sync edits the scripts of the mailboxes and reports on each, in their order.
// The error is for bad options, for a mailbox that is empty or there twice, and
// for a context that ended; failures of single mailboxes, panics and time-outs
// of their edits among them, are in their reports only.
//
// When the context ends no other mailbox is begun and those under way are left,
// but for one whose script is being stored: it is finished and verified, within
// the client's timeouts, so that its report tells what is there.
func Sync(ctx context.Context, mailboxes []string, options Options) ([]Report, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("provision: %w", err)
	}
	seen := make(map[string]int, len(mailboxes))
	for i, m := range mailboxes {
		if m == "" {
			return nil, fmt.Errorf("provision: mailboxes[%d] is empty: leave it out", i)
		}
		if first, ok := seen[m]; ok {
			return nil, fmt.Errorf("provision: mailboxes[%d] is mailboxes[%d] again, %q: two edits of one script would disturb each other", i, first,
				m)
		}
		seen[m] = i
	}
	reports := make([]Report, len(mailboxes))
	for i, m := range mailboxes {
		reports[i].Mailbox = m
	}
	work := make(chan int)
	var workers sync.WaitGroup
	var telling sync.Mutex
	done := 0
	var broken error // of Progress
	for range min(o.Parallel, len(mailboxes)) {
		workers.Go(func() {
			for i := range work {
				j := job{options: &o, report: Report{Mailbox: mailboxes[i]}}
				j.run(ctx)
				reports[i] = j.report
				telling.Lock()
				done++
				if o.Progress != nil && broken == nil {
					broken = tell(o.Progress, Progress{Done: done, Total: len(mailboxes), Report: j.report})
				}
				telling.Unlock()
			}
		})
	}
	started := 0
	for started < len(mailboxes) && ctx.Err() == nil {
		select {
		case work <- started:
			started++
		case <-ctx.Done():
		}
	}
	close(work)
	workers.Wait()
	if ctx.Err() == nil {
		return reports, broken
	}
	cause := context.Cause(ctx)
	for i := started; i < len(reports); i++ {
		reports[i].Err = cause
	}
	return reports, fmt.Errorf("provision: stopped after %d of %d mailboxes: %w", started, len(mailboxes), cause)
}

// tell returns a panic of the function as an error.
func tell(progress func(Progress), at Progress) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("provision: Options.Progress: %w", &PanicError{v, debug.Stack()})
		}
	}()
	progress(at)
	return nil
}
