package threats

// removal takes a control away: in a file of the repository, new stands in place of old, which is there once. Then these tests
// must fail; each entry is the folder of a package and names of its tests.
type removal struct {
	file, old, new string
	tests          []string
}

// routesTLS is what makes the nodes of a cluster speak TLS to each other.
const routesTLS = `  tls {
    cert_file: $NATS_TLS_CERT
    key_file: $NATS_TLS_KEY
    ca_file: $NATS_TLS_CA
    verify: true
    min_version: "1.3"
    timeout: 5
  }
`

const (
	unit     = "services/gateway "
	abuse    = "services/e2e/abuse "
	contract = "services/e2e/contract "
	nats     = "services/e2e/natscluster "
)

var removals = []removal{
	// Who may connect, and do what.
	{"services/gateway/auth.go", "return nil\n\t}\n\treturn errOpen", "return nil\n\t}\n\treturn nil", []string{unit + "TestAGatewayIsNotOpenByAccident"}},
	{
		"services/gateway/internal/door/token.go", "if err == nil {\n\t\treturn claims, nil", "if claims = new(token.Claims); true {\n\t\treturn claims, nil",
		[]string{unit + "TestRefusedTokens TestTokensOfTheSocketIODoor", abuse + "TestReplayedAndSwappedTokens"},
	},
	{"pkg/token/verifier.go", "token, err := v.parser.ParseWithClaims(text, &p, v.key)", "token, _, err := v.parser.ParseUnverified(text, &p)", []string{"pkg/token TestKeysOfAllKinds"}},
	{"pkg/token/verifier.go", "if len(c.Audience) > 0 {", "if false {", []string{"pkg/token TestClaims"}},
	{"pkg/token/verifier.go", "if p.all[name] == nil {", "if false {", []string{"pkg/token TestClaims"}},
	{
		"services/gateway/internal/door/guard.go", "if g.claims != nil {\n\t\tg.expiry", "if false {\n\t\tg.expiry",
		[]string{unit + "TestATokenThatEnds", abuse + "TestReplayedAndSwappedTokens"},
	},
	{
		"services/gateway/internal/door/expiry.go", "if claims.Subject != g.claims.Subject {", "if false {",
		[]string{unit + "TestATokenIsRefreshed", abuse + "TestReplayedAndSwappedTokens"},
	},
	{"services/gateway/internal/hub/token.go", "if i < 0 || !hmac.Equal(", "if i < 0 || false && !hmac.Equal(", []string{unit + "TestTokensAreGoodOnce", abuse + "TestResumeTokens"}},
	{"services/gateway/internal/hub/proof.go", "case c.inc < k.proven && !chaosbreak.Replay:", "case c.inc < k.proven && chaosbreak.Replay:", []string{unit + "TestTokensAreGoodOnce", abuse + "TestResumeTokens"}},
	{"api/client/display.go", "case len(display) > MaxDisplayBytes:", "case true:\n\t\treturn nil\n\tcase len(display) > MaxDisplayBytes:", []string{unit + "TestDisplayIdentitiesThatCannotBeUsed"}},
	{"services/gateway/internal/hub/resume.go", "|| c.display != k.s.display ||", "||", []string{unit + "TestASessionKeepsItsDisplayIdentity"}},
	{"services/gateway/internal/hub/takeover.go", "case x.Display != p.by.display:", "case false:", []string{unit + "TestASessionOfADeadGatewayKeepsItsDisplayIdentity"}},
	{"services/gateway/auth.go", "Display: c.Display, CheckDisplay", "Display: \"name\", CheckDisplay", []string{unit + "TestNoDisplayIdentityByDefault"}},
	{"services/gateway/internal/door/guard.go", "!granted(g.claims.Grants, c) {", "!granted(g.claims.Grants, c) && false {", []string{unit + "TestWhatATokenGrants"}},
	{
		"services/gateway/internal/door/origin.go", "\t\t}\n\t}\n\treturn false\n}", "\t\t}\n\t}\n\treturn true\n}",
		[]string{
			"services/gateway/internal/door TestOrigins", unit + "TestOriginsOfTheNativeDoor TestICEServersByHTTP",
			abuse + "TestForeignOrigin", "services/e2e/browser TestAForeignPage",
		},
	},
	{
		"services/gateway/internal/hub/signal.go", "\t\tsender = r.local(s)\n", "\t\tif sender = r.local(s); sender == nil && len(r.members) > 0 {\n\t\t\tsender = &r.members[0]\n\t\t}\n",
		[]string{contract + "TestRule5_SenderAndTargetMustBeInTheSameRoom TestRule7_AnIdIsNoCredential"},
	},
	{"api/bus/subjects.go", "_, _ = rand.Read(b[:n])", "_, _ = rand.Read(b[:4])", []string{contract + "TestRule7_IdsAreUnguessableUrlSafeShortAndNeverReused"}},
	{"services/rooms/internal/room/policy.go", "case q.Password != \"\" && !fits", "case false && !fits", []string{contract + "TestOptions_ARoomWithPassword"}},
	{"services/rooms/internal/room/policy.go", "if r.owner != c.Client {", "if false {", []string{contract + "TestOptions_OnlyTheOwnerCommands"}},

	// How much.
	{
		"services/gateway/listener.go", "l.limits.all > 0 && l.open >= l.limits.all", "false",
		[]string{unit + "TestConnectionsOfAnAddress TestAGatewayHasSoManyConnections", abuse + "TestConnectionFlood"},
	},
	{"services/gateway/listener.go", "if l.addresses[a] >= l.limits.address {", "if false {", []string{unit + "TestConnectionsOfAnAddress"}},
	{"services/gateway/internal/door/address.go", "if a.clients >= as.l.AddressClients {", "if false {", []string{unit + "TestAnAddressHasSoManyClients"}},
	{
		"services/gateway/internal/door/address.go", "if !p.Trusted(addr) {\n\t\treturn addr\n\t}\n", "",
		[]string{unit + "TestNobodyIsBelievedWhoIsNoProxy"},
	},
	{"services/gateway/internal/door/address.go", "if addr = next; !p.Trusted(addr) {", "if addr = next; false {", []string{unit + "TestEachAddressHasItsHandshakes"}},
	{"services/gateway/listener.go", "return proxyproto.SKIP, nil", "return proxyproto.USE, nil", []string{unit + "TestThePROXYProtocolOfOthers"}},
	{
		"services/gateway/internal/door/address.go", "if wait := as.l.Handshakes.Take(&as.handshakes, now, 1); wait > 0 {", "if wait := time.Duration(0); wait > 0 {",
		[]string{unit + "TestHandshakesHaveARate"},
	},
	{
		"services/gateway/internal/door/address.go", "as.l.AddressHandshakes.Take(&a.handshakes, now, 1); wait > 0 {", "as.l.AddressHandshakes.Take(&a.handshakes, now, 0); wait > 0 {",
		[]string{unit + "TestEachAddressHasItsHandshakes"},
	},
	{
		"services/gateway/internal/door/limits.go", "l.Commands.Take(&b.commands, now, 1)", "time.Duration(0)",
		[]string{unit + "TestCommandsAndSignalsHaveTheirRates TestWhoGoesOnIsClosed TestLimitsOfTheSocketIODoor"},
	},
	{"services/gateway/internal/door/limits.go", "l.Signals.Take(&b.signals, now, 1)", "time.Duration(0)", []string{unit + "TestCommandsAndSignalsHaveTheirRates"}},
	{"services/gateway/internal/door/limits.go", "l.Bytes.Take(&b.bytes, now, size)", "time.Duration(0)", []string{unit + "TestBytesHaveARate"}},
	{
		"services/gateway/internal/door/guard.go", "l.Refusals.Take(&g.buckets.refusals, now, 1) > 0", "l.Refusals.Take(&g.buckets.refusals, now, 1) < 0",
		[]string{unit + "TestWhoGoesOnIsClosed TestLimitsOfTheSocketIODoor TestPingsHaveARate", abuse + "TestRoomFloodMeetsTheRate TestPingFlood"},
	},
	{"services/gateway/internal/door/guard.go", "pings.Take(&g.buckets.pings, now, 1) == 0", "pings.Take(&g.buckets.pings, now, 0) == 0", []string{unit + "TestPingsHaveARate", abuse + "TestPingFlood"}},
	{
		"services/gateway/internal/hub/session.go", "return len(s.rooms) >= limit &&", "return false &&",
		[]string{unit + "TestAClientIsInSoManyRooms", abuse + "TestRoomFloodMeetsTheNumber"},
	},
	{
		"services/rooms/internal/room/command.go", "if len(r.members) >= p.limits.MembersPerRoom {", "if false {",
		[]string{"services/rooms TestAFullRoom", abuse + "TestGiantRoster"},
	},
	{"services/rooms/internal/room/command.go", "if p.limits.Rooms > 0 && len(p.rooms) >= p.limits.Rooms {", "if false {", []string{"services/rooms TestAFullPartition"}},
	{"services/gateway/internal/door/idle.go", "\t\ti.session.Load().Close(client.CloseIdle)\n", "\t\t_ = client.CloseIdle\n", []string{unit + "TestIdleClients"}},
	{
		"pkg/wsock/upgrade.go", "ws.SetReadLimit(u.o.ReadLimit)", "ws.SetReadLimit(1 << 40)",
		[]string{contract + "TestRule10_OneByteMoreEndsThatConnectionAndNoOther", "services/e2e/socketio TestOversizeMessages"},
	},
	{"pkg/wsock/write.go", "if frames >= c.o.QueueFrames || bytes+len(f) > c.o.QueueBytes {", "if frames+bytes < 0 {", []string{unit + "TestAClientThatDoesNotRead", contract + "TestAClientThatStopsReadingIsClosedAndDelaysNobody"}},

	// What never comes to its end, and what is made to hurt.
	{"pkg/wsock/handshake.go", " && validHeader(r.Header)", "", []string{"pkg/wsock TestWhoServesARequest"}},
	{"services/gateway/gateway.go", "ReadHeaderTimeout: headerTimeout, ", "", []string{abuse + "TestSlowLoris TestHalfOpen"}},
	{
		"services/gateway/listener.go", "if r.ContentLength != 0 {", "if false {",
		[]string{unit + "TestABodyThatDoesNotComeIsNotAwaited", abuse + "TestBodiesThatDoNotCome"},
	},
	{"pkg/admin/server.go", "s.http.Handler = guard(addr, s.mux)", "s.http.Handler = s.mux", []string{"pkg/admin TestAForeignName"}},
	{"pkg/admin/server.go", "ReadTimeout:       readTimeout, // of bodies that do not come, too\n", "\n", []string{"pkg/admin TestWhatDoesNotComeIsNotAwaited"}},
	{"services/gateway/internal/door/native.go", "c.giveUp(client.CloseHeartbeat)", "_ = client.CloseHeartbeat", []string{abuse + "TestHalfOpen", "services/e2e/faults TestASilentClientIsGivenUp"}},
	{"pkg/wsock/upgrade.go", "WriteBufferPool: new(sync.Pool),", "WriteBufferPool: new(sync.Pool), EnableCompression: true,", []string{abuse + "TestCompressionBomb"}},
	{"api/internal/jsonscan/jsonscan.go", "const MaxDepth = 512", "const MaxDepth = 1 << 20", []string{"api/internal/jsonscan TestNestingHasALimit", abuse + "TestDeepJSON"}},
	{"services/gateway/gateway.go", "MaxHeaderBytes: maxHeaderBytes,", "MaxHeaderBytes: 1 << 30,", []string{abuse + "TestHeaderInjection"}},
	{"api/bus/subjects.go", "sum := sha256.Sum256([]byte(room))\n\treturn base64.RawURLEncoding.EncodeToString(sum[:16])", "_, _ = sha256.Sum256, base64.RawURLEncoding\n\treturn room", []string{contract + "TestRule6_AnyNameIsARoomOfItsOwn"}},
	{"services/gateway/internal/demo/demo.go", "\t\tsecure(w.Header())\n", "", []string{"services/gateway/internal/demo TestEveryFileIsServedWithItsTypeAndPolicy"}},

	// Who listens, and what is told.
	{"services/gateway/tls.go", "MinVersion: tls.VersionTLS12", "MinVersion: tls.VersionTLS10", []string{unit + "TestOldTLSIsRefused"}},
	{"services/gateway/tls.go", "if c.Cert == \"\" {\n\t\treturn l, nil", "if true {\n\t\treturn l, nil", []string{unit + "TestTheNativeDoorOverTLS TestTheSocketIODoorOverTLS"}},
	{"services/gateway/internal/door/token.go", "a.Logger.Debug(\"token refused\", \"error\", err)", "a.Logger.Debug(\"token refused\", \"error\", err, \"token\", text)", []string{abuse + "TestNoSecretIsLogged"}},
	{"services/gateway/auth.go", "GATEWAY_AUTH_SECRET,unset", "GATEWAY_AUTH_SECRET", []string{unit + "TestSecretsLeaveTheEnvironment"}},
	{"services/gateway/ice.go", "GATEWAY_TURN_SECRET,unset", "GATEWAY_TURN_SECRET", []string{unit + "TestSecretsLeaveTheEnvironment"}},
	{"pkg/settings/settings.go", "case f.secret(), f.fromFile(), value == \"\":", "case value == \"\":", []string{"pkg/settings TestParseReportsEverythingAtOnce"}},
	{"services/gateway/internal/door/ice.go", "ends := time.Now().Add(c.TTL)", "ends := time.Now().Add(1000 * time.Hour)", []string{unit + "TestICEServersInTheWelcomeAndByCommand", "services/e2e/turn TestCredentials"}},
	{"services/gateway/internal/door/ice.go", "if _, e := cfg.Auth.check(tokenOf(r)); e != nil {", "if _, e := cfg.Auth.check(tokenOf(r)); e != nil && false {", []string{unit + "TestICEServersByHTTP"}},

	// The bus.
	{"deploy/nats/account.conf", "# commands, to the owner of", "\n\"sig.ev.*\" # to the owner of", []string{nats + "TestPermissions"}},
	{"deploy/nats/account.conf", "# asks another gateway to hand a session over", "\n\"sig.adm.do.>\" # to operate", []string{nats + "TestPermissions"}},

	// Operators.
	{"services/signalctl/internal/ask/ask.go", "if asked != \"\" && from != asked {", "if false {", []string{"services/signalctl TestNothingIsEndedByMistake"}},
	{"services/signalctl/show.go", "row[i] = shown(fmt.Sprint(c))", "row[i] = fmt.Sprint(c)", []string{"services/signalctl TestNothingOfOthersMovesTheCursor"}},
	{"api/operate/question.go", "if q.Op.Verb() != bus.AdminVerb(subject) {", "if false {", []string{"api/operate TestAnOperationIsTakenOnItsVerbOnly"}},
	{
		"api/bus/subjects.go", "return strings.HasPrefix(subject, operatorPrefix) &&", "return subject != \"\" &&",
		[]string{"services/rooms TestOperatorsAreAnsweredInTheirInboxOnly", unit + "TestAGatewayAnswersOperatorsInTheirInboxOnly"},
	},
	{
		"api/operate/picture.go", "= o.OwnerKey != \"\", o.Metadata, o.Banned", "= o.OwnerKey != \"\", o.Metadata, append(append([]string{}, o.Banned...), o.OwnerKey, o.Password)",
		[]string{"services/rooms/internal/room TestLook", "services/e2e/signalctl TestNoSecretIsShown"},
	},
	{
		"pkg/admin/live/live.go", "h.Set(\"Content-Security-Policy\", contentPolicy)", "_ = contentPolicy",
		[]string{"pkg/admin/live TestThePageHasAPolicy", "services/e2e/browser TestLivePage"},
	},
	{"services/signalctl/show.go", "if !printable(text) || text", "if text", []string{"services/signalctl TestWhatClientsChooseIsMadeSafe"}},
	{"deploy/nats/common.conf", "include account.conf", "include account.conf\nno_auth_user: $gateway_NKEY", []string{nats + "TestClosed"}},
	{"deploy/nats/cluster.conf", routesTLS, "", []string{nats + "TestRoutesClosed"}},
}
