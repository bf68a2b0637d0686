package natscluster_test

import (
	"testing"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

func TestSingleNode(t *testing.T) {
	s := startSite(t, 1)
	gateway := s.Gateway("gateway")
	startAll(t, s.Rooms("rooms"), gateway)
	url, err := lab.ClientURL(labtest.Context(t), gateway)
	if err != nil {
		t.Fatal(err)
	}
	smoke(t, url, url)
}
