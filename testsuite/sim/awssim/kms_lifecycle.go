package awssim

import "time"

const day = 24 * time.Hour

func (c *call) enableKey(in byKey) (any, error)  { return c.setState(in, stateEnabled) }
func (c *call) disableKey(in byKey) (any, error) { return c.setState(in, stateDisabled) }

func (c *call) setState(in byKey, state string) (any, error) {
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	c.changeKey(k, func(k *key) { k.state = state })
	return nil, nil
}

type deletionResult struct {
	DeletionDate        *float64 `json:",omitempty"`
	KeyID               string   `json:"KeyId"`
	KeyState            string
	PendingWindowInDays int
}

func (c *call) scheduleKeyDeletion(in struct {
	byKey
	PendingWindowInDays *int
},
) (any, error) {
	window := 30
	if in.PendingWindowInDays != nil {
		window = *in.PendingWindowInDays
	}
	if window < 7 || window > 30 {
		return nil, refuse(codeValidation, "1 validation error detected: Value '%d' at 'pendingWindowInDays' failed to satisfy constraint: Member must be between 7 and 30", window)
	}
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	k = c.scheduleDeletion(k, window)
	out := deletionResult{KeyID: k.arn(), KeyState: k.state, PendingWindowInDays: window}
	if k.state == statePendingDeletion {
		out.DeletionDate = epochOf(k.deletion)
	}
	return out, nil
}

// scheduleDeletion lets a key end in so many days; a primary key waits for its replicas to be gone first.
func (s *store) scheduleDeletion(k *key, window int) *key {
	if k.primary() && len(s.relatives(atSource, k)) > 1 {
		return s.changeKey(k, func(k *key) { k.state, k.window = statePendingReplicaDeletion, window })
	}
	due := s.world.Now().Add(s.world.Scaled(time.Duration(window) * day))
	k = s.changeKey(k, func(k *key) { k.state, k.window, k.deletion = statePendingDeletion, window, due })
	s.world.At(due, func() {
		if now := s.keys[k.at()].in(atSource); now != nil && now.state == statePendingDeletion && now.deletion.Equal(due) {
			s.removeKey(now)
		}
	})
	return k
}

// removeKey is the end of a key and its aliases. Its primary, if it waited for this replica alone, starts its own wait.
func (s *store) removeKey(k *key) {
	for _, a := range s.aliasesOf(atSource, k) {
		put(s, s.aliases, aliasAt{a.account, a.region, a.name}, nil, s.kmsLag())
	}
	put(s, s.keys, k.at(), nil, s.kmsLag())
	if left := s.relatives(atSource, k); len(left) == 1 && left[0].state == statePendingReplicaDeletion {
		s.scheduleDeletion(left[0], left[0].window)
	}
}

func (c *call) cancelKeyDeletion(in byKey) (any, error) {
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	c.changeKey(k, func(k *key) { k.state, k.deletion, k.window = stateDisabled, time.Time{}, 0 })
	return byKey{k.arn()}, nil
}

// rotationPeriod is AWS's default for automatic rotation, in days.
const rotationPeriod = 365

func (f *family) rotatable() bool { return f.spec == symmetricDefault && f.origin == originKMS }

type rotationStatus struct {
	KeyID                string `json:"KeyId"`
	KeyRotationEnabled   bool
	NextRotationDate     *float64 `json:",omitempty"`
	RotationPeriodInDays *int     `json:",omitempty"`
}

func (c *call) getKeyRotationStatus(in byKey) (any, error) {
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	if !k.family.rotatable() {
		return nil, refuse(codeUnsupported, "You cannot perform this operation on this type of key: %s", k.arn())
	}
	out := rotationStatus{KeyID: k.arn()}
	if k.family.rotation && k.state != statePendingDeletion && k.state != statePendingReplicaDeletion {
		out.KeyRotationEnabled, out.RotationPeriodInDays = true, &k.family.period
		out.NextRotationDate = epochOf(k.family.next)
	}
	return out, nil
}

// openToRotate opens a key whose rotation is to be changed: of a multi-Region key, the primary only.
func (c *call) openToRotate(ref string) (*key, error) {
	k, err := c.reach(ref, byIDOrARN, c.action(), nil)
	if err != nil {
		return nil, err
	}
	if !k.family.rotatable() {
		return nil, refuse(codeUnsupported, "You cannot perform this operation on this type of key: %s", k.arn())
	}
	if err := k.admits(c.name); err != nil {
		return nil, err
	}
	if k.family.multiRegion && !k.primary() {
		return nil, refuse(codeUnsupported, "You cannot perform this operation on a multi-Region replica key: %s", k.arn())
	}
	return k, nil
}

func (c *call) enableKeyRotation(in struct {
	byKey
	RotationPeriodInDays *int
},
) (any, error) {
	period := rotationPeriod
	if in.RotationPeriodInDays != nil {
		period = *in.RotationPeriodInDays
	}
	if period < 90 || period > 2560 {
		return nil, refuse(codeValidation, "1 validation error detected: Value '%d' at 'rotationPeriodInDays' failed to satisfy constraint: Member must be between 90 and 2560", period)
	}
	k, err := c.openToRotate(in.KeyID)
	if err != nil {
		return nil, err
	}
	c.keepRotating(k, period)
	return nil, nil
}

// keepRotating makes new key material every so many days, until rotation is switched off or set anew.
func (s *store) keepRotating(k *key, period int) {
	f := k.family
	f.rotation, f.period = true, period
	f.next = s.world.Now().Add(s.world.Scaled(time.Duration(period) * day))
	due := f.next
	s.world.At(due, func() {
		if f.rotation && f.next.Equal(due) {
			f.rotate(k.id)
			s.keepRotating(k, period)
		}
	})
}

func (c *call) disableKeyRotation(in byKey) (any, error) {
	k, err := c.openToRotate(in.KeyID)
	if err != nil {
		return nil, err
	}
	k.family.rotation = false
	return nil, nil
}

func (c *call) rotateKeyOnDemand(in byKey) (any, error) {
	k, err := c.openToRotate(in.KeyID)
	if err != nil {
		return nil, err
	}
	k.family.rotate(k.id)
	return byKey{k.arn()}, nil
}
