// Command natskeys makes the keys and certificates for the NATS configurations of deploy/nats: one folder for each node,
// one for each service, and one for the authority, which stays at home. What exists is kept.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"signalling/services/e2e/natskeys"
)

const usage = `usage: natskeys [-dir FOLDER] [-valid DURATION] NODE…

A NODE is name=host:port, where the other nodes reach it, and then, after commas, further names and addresses for its
certificate. A lone node needs no port:

  natskeys -dir keys n1=nats-1:6222,10.0.0.1 n2=nats-2:6222,10.0.0.2 n3=nats-3:6222,10.0.0.3
  natskeys -dir keys n1=,localhost,127.0.0.1

`

func main() {
	plan := natskeys.Plan{}
	flag.StringVar(&plan.Dir, "dir", "keys", "folder for the keys; git must not see it")
	flag.DurationVar(&plan.Validity, "valid", natskeys.DefaultValidity, "how long a node's certificate is valid")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	for _, arg := range flag.Args() {
		plan.Nodes = append(plan.Nodes, node(arg))
	}
	switch err := natskeys.Write(plan); {
	case errors.Is(err, natskeys.ErrPlan):
		fmt.Fprintln(os.Stderr, err)
		flag.Usage()
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func node(arg string) natskeys.Node {
	name, hosts, _ := strings.Cut(arg, "=")
	all := strings.Split(hosts, ",")
	return natskeys.Node{Name: name, Route: all[0], Hosts: all[1:]}
}
