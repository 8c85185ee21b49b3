package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Circumstances are what else is the case in a project that bears on putting its clusters on a key. Reading them takes
// three or four calls for the project, and for each cluster one if it has backups, one if it is in several regions, and one
// if its disk is large.
type Circumstances struct {
	// EncryptedBackups is true when the Backup Compliance Policy demands encryption with a customer-managed key.
	EncryptedBackups bool `json:"encryptedBackups,omitempty"`
	// NoAlert is true when no alert is configured for nodes that cannot reach KMS.
	NoAlert bool `json:"noAlert,omitempty"`
	// Maintenance is true while maintenance runs; MaintenanceAt is when it begins next, zero when no window is set.
	Maintenance   bool      `json:"maintenance,omitempty"`
	MaintenanceAt time.Time `json:"maintenanceAt,omitzero"`
	// Rights are the roles of the worker's API key that count in the project; RightsRead says that they could be read.
	Rights     []string `json:"rights,omitempty"`
	RightsRead bool     `json:"rightsRead,omitempty"`
	// Restored are the clusters into which a restore is running, Outages those of which an outage is being simulated.
	Restored []string `json:"restored,omitempty"`
	Outages  []string `json:"outages,omitempty"`
	// OplogHours are for how long clusters with a large disk keep their oplog at least.
	OplogHours map[string]float64 `json:"oplogHours,omitempty"`
	// Unread is what could not be read, and why.
	Unread []string `json:"unread,omitempty"`
}

const (
	// AlertOnKMS is the alert that tells of nodes that cannot reach KMS.
	AlertOnKMS = "ENCRYPTION_AT_REST_KMS_NETWORK_ACCESS_DENIED"
	// LargeDisk is from how many gigabytes on it is worth looking whether a re-sync outlasts the oplog.
	LargeDisk = 200
	// oplogDefault is for how many hours Atlas keeps the oplog unless it is told otherwise.
	oplogDefault = 24
)

// circumstances reads all of them, of several clusters at once. What the worker may not read is listed, and no error.
func (a *Atlas) circumstances(ctx context.Context, p *Project, switching cmk.ClusterSelection) (*Circumstances, error) {
	out := &Circumstances{OplogHours: map[string]float64{}}
	if err := a.projectCircumstances(ctx, p.ID, out); err != nil {
		return nil, unlessSilentFor(ctx, a.pace.clock(), silence, err)
	}
	joining := slices.DeleteFunc(slices.Clone(p.Clusters), func(c Cluster) bool {
		return c.Provider != cmk.ProviderNone || !switching.Selects(c.Name)
	})
	found, err := ofEach(ctx, a.pace.clock(), silence, clusterNames(joining), func(ctx context.Context, name string) (clusterCircumstances, error) {
		return a.clusterCircumstances(ctx, p.ID, joining[slices.IndexFunc(joining, func(c Cluster) bool { return c.Name == name })])
	})
	if err != nil {
		return nil, err
	}
	for name, of := range found {
		out.Restored, out.Unread = append(out.Restored, of.Restored...), append(out.Unread, of.Unread...)
		if of.Outage {
			out.Outages = append(out.Outages, name)
		}
		if of.OplogHours > 0 {
			out.OplogHours[name] = of.OplogHours
		}
	}
	out.Restored, out.Outages, out.Unread = set(out.Restored), set(out.Outages), set(out.Unread)
	return out, nil
}

// unread notes what may not be read. Any other error stays one.
func unread(list *[]string, what string, err error) error {
	var refused *temporal.ApplicationError
	if errors.As(err, &refused) && refused.NonRetryable() {
		*list = append(*list, fmt.Sprintf("%s (%s)", what, refused.Type()))
		return nil
	}
	return err
}

// projectCircumstances reads those that are not a cluster's.
func (a *Atlas) projectCircumstances(ctx context.Context, projectID string, out *Circumstances) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	read := func(what string, look func(context.Context) (func(), error)) {
		group.Go(func() error {
			take, err := look(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				take()
			}
			return unread(&out.Unread, what, err)
		})
	}
	read("the backup compliance policy", func(ctx context.Context) (func(), error) {
		demanded, err := a.encryptedBackups(ctx, projectID)
		return func() { out.EncryptedBackups = demanded }, err
	})
	read("the alerts", func(ctx context.Context) (func(), error) {
		missing, err := a.alertMissing(ctx, projectID)
		return func() { out.NoAlert = missing }, err
	})
	read("the maintenance window", func(ctx context.Context) (func(), error) {
		running, at, err := a.maintenance(ctx, projectID)
		return func() { out.Maintenance, out.MaintenanceAt = running, at }, err
	})
	if a.apiKey() {
		read("the worker's own rights", func(ctx context.Context) (func(), error) {
			rights, err := a.rights(ctx, projectID)
			return func() { out.Rights, out.RightsRead = rights, true }, err
		})
	}
	return group.Wait()
}

// clusterCircumstances are those of one cluster.
type clusterCircumstances struct {
	Restored   []string `json:"restored,omitempty"`
	Outage     bool     `json:"outage,omitempty"`
	OplogHours float64  `json:"oplogHours,omitempty"`
	Unread     []string `json:"unread,omitempty"`
}

func (a *Atlas) clusterCircumstances(ctx context.Context, projectID string, c Cluster) (of clusterCircumstances, err error) {
	if c.Backup {
		of.Restored, err = a.restoring(ctx, projectID, c.Name)
		if err := unread(&of.Unread, "the restores of cluster "+c.Name, err); err != nil {
			return of, err
		}
	}
	if len(c.Regions) > 1 { // Atlas simulates the outage of a region only where there are others
		of.Outage, err = a.outage(ctx, projectID, c.Name)
		if err := unread(&of.Unread, "whether an outage of cluster "+c.Name+" is simulated", err); err != nil {
			return of, err
		}
	}
	if c.DiskGB >= LargeDisk {
		of.OplogHours, err = a.oplogHours(ctx, projectID, c.Name)
		if err := unread(&of.Unread, "the oplog of cluster "+c.Name, err); err != nil {
			return of, err
		}
	}
	return of, nil
}

func (a *Atlas) encryptedBackups(ctx context.Context, projectID string) (bool, error) {
	policy, response, err := a.api.CloudBackupsApi.GetCompliancePolicy(ctx, projectID).Execute()
	if response != nil && response.StatusCode == http.StatusNotFound {
		return false, nil
	}
	return policy.GetEncryptionAtRestEnabled(), atlasError(err, response, "read the backup compliance policy of project %s", projectID)
}

func (a *Atlas) alertMissing(ctx context.Context, projectID string) (bool, error) {
	for page := 1; ; page++ {
		alerts, response, err := a.api.AlertConfigurationsApi.ListAlertConfigs(ctx, projectID).ItemsPerPage(pageSize).PageNum(page).Execute()
		if err != nil {
			return false, atlasError(err, response, "list the alerts of project %s", projectID)
		}
		for _, alert := range alerts.GetResults() {
			if alert.GetEventTypeName() == AlertOnKMS && alert.GetEnabled() {
				return false, nil
			}
		}
		if len(alerts.GetResults()) < pageSize {
			return true, nil
		}
	}
}

// apiKey says whether the worker is known by an API key; the rights of a service account cannot be read.
func (a *Atlas) apiKey() bool {
	return len(a.self) > 0 && !slices.ContainsFunc(a.self, func(name string) bool { return strings.HasPrefix(name, "mdb_sa_id_") })
}

// rights are the API key's roles in the project, and its roles in an organization.
func (a *Atlas) rights(ctx context.Context, projectID string) ([]string, error) {
	status, response, err := a.api.RootApi.GetSystemStatus(ctx).Execute()
	if err != nil {
		return nil, atlasError(err, response, "read the API key's roles")
	}
	var roles []string
	for _, r := range status.ApiKey.Roles {
		if r.GetGroupId() == projectID || r.GetGroupId() == "" {
			roles = append(roles, r.GetRoleName())
		}
	}
	return set(roles), nil
}

// restoring are the clusters of the project into which a snapshot of a cluster is being restored.
func (a *Atlas) restoring(ctx context.Context, projectID, cluster string) ([]string, error) {
	jobs, response, err := a.api.CloudBackupsApi.ListBackupRestoreJobs(ctx, projectID, cluster).ItemsPerPage(pageSize).Execute()
	if err != nil {
		return nil, atlasError(err, response, "list the restores of cluster %s", cluster)
	}
	var targets []string
	for _, j := range jobs.GetResults() {
		if j.GetFinishedAt().IsZero() && !j.GetCancelled() && !j.GetFailed() && !j.GetExpired() && j.GetTargetGroupId() == projectID {
			targets = append(targets, j.GetTargetClusterName())
		}
	}
	return targets, nil
}

func (a *Atlas) outage(ctx context.Context, projectID, cluster string) (bool, error) {
	_, response, err := a.api.ClusterOutageSimulationApi.GetOutageSimulation(ctx, projectID, cluster).Execute()
	if response != nil && response.StatusCode == http.StatusNotFound {
		return false, nil
	}
	return err == nil, atlasError(err, response, "read whether an outage of cluster %s is simulated", cluster)
}

func (a *Atlas) oplogHours(ctx context.Context, projectID, cluster string) (float64, error) {
	args, response, err := a.api.ClustersApi.GetProcessArgs(ctx, projectID, cluster).Execute()
	if err != nil {
		return 0, atlasError(err, response, "read the configuration of cluster %s", cluster)
	}
	if hours := args.GetOplogMinRetentionHours(); hours > 0 {
		return hours, nil
	}
	return oplogDefault, nil
}

// maintenance says whether maintenance is running, and when it begins next; zero when no window is set.
func (a *Atlas) maintenance(ctx context.Context, projectID string) (running bool, next time.Time, err error) {
	window, response, err := a.api.MaintenanceWindowsApi.GetMaintenanceWindow(ctx, projectID).Execute()
	if err != nil {
		return false, time.Time{}, atlasError(err, response, "read the maintenance window of project %s", projectID)
	}
	next, err = nextMaintenance(window.GetDayOfWeek(), window.GetHourOfDay(), window.GetTimeZoneId(), a.pace.clock().Now())
	if err != nil {
		return false, time.Time{}, final(cmk.ErrForeign, "the maintenance window of project %s cannot be read: %v", projectID, err)
	}
	return window.GetStartASAP(), next, nil
}

// scales says whether a cluster may change its own size.
func scales(r *admin.CloudRegionConfig20240805) bool {
	auto := r.GetAutoScaling()
	compute := auto.GetCompute()
	return compute.GetEnabled()
}
