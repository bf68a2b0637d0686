package socketio

import (
	"context"
	"io"
	"os/exec"
	"testing"

	"signalling/services/e2e/labtest"
)

// start runs a program until the test ends. The shell around it ends it when its own input ends, which it also does when
// this process dies.
func start(t *testing.T, command []string) {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", `"$@" & read -r _; kill $!; wait $!`, "sh"}, command...)...)
	var out labtest.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end(cmd, stdin)
		if t.Failed() {
			t.Logf("%s said:\n%.5000s", command[0], out.String())
		}
	})
}

func end(cmd *exec.Cmd, stdin io.Closer) {
	ctx, cancel := context.WithTimeout(context.Background(), labtest.Patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	_ = stdin.Close()
	_ = cmd.Wait() // it ends by our signal
}
