package main

import (
	"fmt"
	"os"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	s3bank "github.com/karbor/karbor/bank/s3"
	swiftbank "github.com/karbor/karbor/bank/swift"
	"github.com/karbor/karbor/internal/config"
	"github.com/karbor/karbor/internal/kubernetes"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	finddatabase "github.com/karbor/karbor/protectable/database"
	findimage "github.com/karbor/karbor/protectable/image"
	findnetwork "github.com/karbor/karbor/protectable/network"
	findpod "github.com/karbor/karbor/protectable/pod"
	findproject "github.com/karbor/karbor/protectable/project"
	findserver "github.com/karbor/karbor/protectable/server"
	findshare "github.com/karbor/karbor/protectable/share"
	findvolume "github.com/karbor/karbor/protectable/volume"
	"github.com/karbor/karbor/protection"
	savedatabase "github.com/karbor/karbor/protection/database"
	"github.com/karbor/karbor/protection/image"
	"github.com/karbor/karbor/protection/network"
	"github.com/karbor/karbor/protection/noop"
	savepod "github.com/karbor/karbor/protection/pod"
	"github.com/karbor/karbor/protection/project"
	"github.com/karbor/karbor/protection/server"
	"github.com/karbor/karbor/protection/share"
	"github.com/karbor/karbor/protection/volumebackup"
	"github.com/karbor/karbor/protection/volumefreezer"
	"github.com/karbor/karbor/protection/volumeglance"
	"github.com/karbor/karbor/protection/volumesnapshot"
)

// sets are the banks and protection plug-ins of this program, for looking at.
func sets() provider.Sets { return setsWith(nil, kubernetes.Options{}) }

// setsFor are they with the service user of a configuration.
func setsFor(c config.Config) provider.Sets {
	return setsWith(func() (openstack.Options, error) { return serviceCloud(c.Keystone) }, c.Kubernetes.Options())
}

// setsWith are they, where cloud tells how the service user reaches its cloud, and k which
// clusters of tenants are reached. A new one is one line here.
func setsWith(cloud func() (openstack.Options, error), k kubernetes.Options) provider.Sets {
	return provider.Sets{
		Banks: plugin.Set[bank.Bank]{
			filebank.Plugin,
			s3bank.Plugin(s3bank.Host{Now: time.Now, Getenv: os.Getenv}),
			swiftbank.Plugin(swiftbank.Host{Now: time.Now, Cloud: cloud}),
		},
		Protections: plugin.Set[protection.Plugin]{
			savedatabase.Plugin,
			image.Plugin,
			network.Plugin,
			noop.Plugin,
			savepod.Plugin(k),
			project.Plugin,
			server.Plugin,
			share.Plugin,
			volumebackup.Plugin,
			volumefreezer.Plugin,
			volumeglance.Plugin,
			volumesnapshot.Plugin,
		},
	}
}

// serviceCloud tells how the service user reaches its cloud.
func serviceCloud(k config.Keystone) (openstack.Options, error) {
	password, err := k.Password()
	if err != nil {
		return openstack.Options{}, karbor.Errorf(karbor.Invalid, "credentials.service: %w", err)
	}
	o := openstack.Options{
		AuthURL: k.AuthURL, Username: k.Username, Password: password, UserDomain: k.UserDomain,
		Project: k.Project, ProjectDomain: k.ProjectDomain, Region: k.Region, Interface: k.Interface, Timeout: k.Timeout,
	}
	if k.CAFile != "" {
		if o.CACert, err = os.ReadFile(k.CAFile); err != nil {
			return openstack.Options{}, fmt.Errorf("reading keystone.ca_file: %w", err)
		}
	}
	return o, nil
}

// protectables are the protectable plug-ins of this program, one for each type; k says
// which clusters of tenants are reached.
func protectables(k kubernetes.Options) plugin.Set[protectable.Plugin] {
	return plugin.Set[protectable.Plugin]{
		finddatabase.Plugin,
		findimage.Plugin,
		findnetwork.Plugin,
		findpod.Plugin(k),
		findproject.Plugin,
		findserver.Plugin,
		findshare.Plugin,
		findvolume.PluginWith(k),
	}
}
