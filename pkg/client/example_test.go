package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"signalling/pkg/client"
)

// Two clients meet in a room, and one sends the other a signal.
func Example() {
	url, stop := demo() // a server: in a program, the url is ws://host:8080/ws
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	alice, err := client.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close()
	if err := alice.Create(ctx, "lobby"); err != nil {
		log.Fatal(err)
	}

	bob, err := client.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer bob.Close()
	room, err := bob.Join(ctx, "lobby")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("in the room are", room.Clients)
	offer := map[string]string{"type": "offer", "sdp": "v=0…"}
	if err := bob.Signal(ctx, "lobby", room.OwnerID, offer); err != nil {
		log.Fatal(err)
	}

	for m := range alice.Events() {
		switch e := m.Event.(type) {
		case *client.ClientJoined:
			fmt.Println(e.ClientID, "joined", e.Room)
		case *client.SignalReceive:
			fmt.Printf("%s says %s\n", e.SenderID, e.Data)
			return
		}
	}
	// Output:
	// in the room are [client-1]
	// client-2 joined lobby
	// client-2 says {"sdp":"v=0…","type":"offer"}
}

// Make a room, or join it if somebody else was faster.
func ExampleClient_Create() {
	url, stop := demo()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	for range 2 {
		c, err := client.Dial(ctx, url, nil)
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close() //nolint:gocritic // two turns at the most

		err = c.Create(ctx, "lobby")
		if errors.Is(err, client.ErrRoomExists) {
			_, err = c.Join(ctx, "lobby")
		}
		fmt.Println(c.ID(), err)
	}
	// Output:
	// client-1 <nil>
	// client-2 <nil>
}

// Keep a view of a room: who is in it besides this client.
func ExampleClient_Events() {
	url, stop := demo()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	alice, err := client.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close()
	if err := alice.Create(ctx, "lobby"); err != nil {
		log.Fatal(err)
	}
	visit(ctx, url, "lobby")

	members := map[string]bool{}
	for m := range alice.Events() {
		switch e := m.Event.(type) {
		case *client.RoomJoined: // the answer to a join comes in order with the events
			for _, id := range e.Clients {
				members[id] = true
			}
		case *client.ClientJoined:
			members[e.ClientID] = true
			fmt.Println("members:", len(members))
		case *client.ClientLeft:
			delete(members, e.ClientID)
			fmt.Println("members:", len(members))
			return
		}
	}
	// Output:
	// members: 1
	// members: 0
}

// After the end of a connection, Err says why and whether to come back.
func ExampleCloseError() {
	url, stop := demo()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	c, err := client.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	stop() // the server says good-bye

	<-c.Done()
	if end, ok := errors.AsType[*client.CloseError](c.Err()); ok {
		fmt.Println(end.Code, end.Reconnect())
	}
	// Output: 1001 true
}

func visit(ctx context.Context, url, room string) {
	c, err := client.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Join(ctx, room); err != nil {
		log.Fatal(err)
	}
	if err := c.Leave(ctx, room); err != nil {
		log.Fatal(err)
	}
}
