package chaos

import (
	"testing"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

// A process may be told to stop as soon as it has been started, when it does not know signals yet.
func TestStopOfWhatHasJustBeenStarted(t *testing.T) {
	l, ctx := labtest.NewLab(t), labtest.BuildContext(t)
	nats, err := l.NATS("nats", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := nats.Start(ctx); err != nil {
		t.Fatal(err)
	}
	p := l.Rooms("rooms", lab.NATSURL(nats), "ROOMS_OWNERSHIP=static")
	for range 10 {
		if err := p.Launch(ctx); err != nil {
			t.Fatal(err)
		}
		if err := stop(p); err != nil {
			t.Error(err)
		}
	}
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := stop(p); err != nil {
		t.Error(err)
	}
}
