package ownership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// DefaultBucket is the name of the bucket.
const DefaultBucket = "sig_owners"

// ErrBucket is wrapped by what Run returns if the bucket is not one in which ownership is safe. A person has to see to it.
var ErrBucket = errors.New("the bucket of owners is not usable")

// record is the value of a partition's key.
type record struct {
	// Owner is the owning instance, empty if it has released the partition.
	Owner string `json:"owner"`
	// Epoch is that of the owner, or of the last one.
	Epoch uint64 `json:"epoch"`
}

// bucket is the store of records.
type bucket struct{ kv jetstream.KeyValue }

// openBucket finds the bucket or makes it. Its error wraps ErrBucket if trying again is of no use.
//
// The bucket must be in files, because one in memory begins again at revision 1 after a restart, and what was fenced then
// no longer is. It must not forget: an entry that expired would have lost its epoch.
func openBucket(ctx context.Context, js jetstream.JetStream, name string, replicas int) (*bucket, error) {
	kv, err := js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: name, Description: "owners of the partitions of rooms", History: 1, Storage: jetstream.FileStorage, Replicas: replicas,
		})
		if errors.Is(err, jetstream.ErrBucketExists) {
			kv, err = js.KeyValue(ctx, name) // another instance was quicker
		}
	}
	if err != nil {
		return nil, err
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return nil, err
	}
	switch cfg := status.Config(); {
	case cfg.Storage != jetstream.FileStorage:
		return nil, fmt.Errorf("%w: %s is in memory, it must be in files", ErrBucket, name)
	case cfg.TTL != 0 || cfg.LimitMarkerTTL != 0:
		return nil, fmt.Errorf("%w: %s lets entries expire", ErrBucket, name)
	}
	return &bucket{kv}, nil
}

func key(partition int) string { return "p." + strconv.Itoa(partition) }

// read returns the record and its revision; both are zero if there is none. It may be older than what has been seen,
// because any replica may answer.
func (b *bucket) read(ctx context.Context, partition int) (record, uint64, error) {
	entry, err := b.kv.Get(ctx, key(partition))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return record{}, 0, nil
	}
	if err != nil {
		return record{}, 0, err
	}
	var r record
	if err := json.Unmarshal(entry.Value(), &r); err != nil {
		return record{}, 0, fmt.Errorf("the record of partition %d: %w", partition, err)
	}
	return r, entry.Revision(), nil
}

// swap writes the record if the present one has the revision, and returns the new revision. An error does not say that
// nothing was written.
func (b *bucket) swap(ctx context.Context, partition int, r record, revision uint64) (uint64, error) {
	value, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	if revision == 0 {
		return b.kv.Create(ctx, key(partition), value)
	}
	return b.kv.Update(ctx, key(partition), value, revision)
}
