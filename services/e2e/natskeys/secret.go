package natskeys

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/nats-io/nkeys"
)

// newPassword returns 160 random bits. It begins with a letter: nats-server would take some digits for a number.
func newPassword() ([]byte, error) {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	return []byte("p" + hex.EncodeToString(b[:])), nil
}

// newSeed returns the seed of a new NKey user, as a file has it.
func newSeed() ([]byte, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	seed, err := pair.Seed()
	return append(seed, '\n'), err
}

func publicKey(seedFile []byte) (string, error) {
	pair, err := nkeys.ParseDecoratedUserNKey(seedFile)
	if err != nil {
		return "", err
	}
	defer pair.Wipe()
	return pair.PublicKey()
}
