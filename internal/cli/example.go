package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// examples are of every command that does something, by its path below karbor.
var examples = map[string]string{
	"plan create": `karbor plan create shop bank --resource server:web --resource server:db
karbor plan create disks bank --resource volume:data --parameters resource_type=volume,backup_name=data`,
	"plan list":             `karbor plan list --status started --sort name:asc`,
	"plan show":             `karbor plan show shop -f json`,
	"plan update":           `karbor plan update shop --status suspended --resource server:web --resource server:db`,
	"plan delete":           `karbor plan delete shop`,
	"plan graph":            `karbor plan graph shop`,
	"provider list":         `karbor provider list`,
	"provider show":         `karbor provider show bank -f json -c extended_info_schema`,
	"protectable list":      `karbor protectable list`,
	"protectable show":      `karbor protectable show server`,
	"protectable instances": `karbor protectable instances OS::Nova::Server`,
	"protectable instance list": `karbor protectable instance list server
karbor protectable instance list volume --sort name:asc -f value -c id`,
	"protectable instance show": `karbor protectable instance show server web`,
	"checkpoint create": `karbor checkpoint create shop --wait
CHECKPOINT=$(karbor checkpoint create shop --wait -f value -c id)`,
	"checkpoint list":        `karbor checkpoint list bank --plan shop --status available --start-date 2026-11-01`,
	"checkpoint show":        `karbor checkpoint show c99ad067-e5e2-4770-8547-78fd54139b50 --graph`,
	"checkpoint delete":      `karbor checkpoint delete bank c99ad067-e5e2-4770-8547-78fd54139b50 --wait`,
	"checkpoint hold":        `karbor checkpoint hold bank c99ad067-e5e2-4770-8547-78fd54139b50 --reason 'audit of 2026' --until 2027-04-01`,
	"checkpoint release":     `karbor checkpoint release bank c99ad067-e5e2-4770-8547-78fd54139b50`,
	"checkpoint expire":      `karbor checkpoint expire bank c99ad067-e5e2-4770-8547-78fd54139b50 --at 2027-01-01`,
	"plan retention":         `karbor plan retention shop --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --timezone Europe/Berlin --dry-run`,
	"checkpoint cancel":      `karbor checkpoint cancel c99ad067-e5e2-4770-8547-78fd54139b50 --reason 'the wrong plan'`,
	"restore cancel":         `karbor restore cancel 101bd74d-5b30-4fc0-962e-13aa1e5c5d8b`,
	"copy cancel":            `karbor copy cancel 7c5a4a6e-9c1e-4d5c-8a7f-2b1f0c9d8e71`,
	"verification cancel":    `karbor verification cancel 0f3b52f5-5d4f-4e0f-8c2c-6a3c1d2e4f50`,
	"checkpoint reset-state": `karbor checkpoint reset-state bank c99ad067-e5e2-4770-8547-78fd54139b50 --available`,
	"restore create": `karbor restore create c99ad067-e5e2-4770-8547-78fd54139b50 --wait
karbor restore create c99ad067-e5e2-4770-8547-78fd54139b50 --parameters resource_type=server,restore_name=web-2
karbor restore create c99ad067-e5e2-4770-8547-78fd54139b50 --resource server:web --dependents existing --name-prefix drill- --floating-ips none
karbor restore create c99ad067-e5e2-4770-8547-78fd54139b50 --stage server:db --stage server:web,delay=30
karbor restore create c99ad067-e5e2-4770-8547-78fd54139b50 --restore-target https://other.example:5000/v3 --restore-username demo --restore-project-name demo`,
	"restore check": `karbor restore check c99ad067-e5e2-4770-8547-78fd54139b50
karbor restore check c99ad067-e5e2-4770-8547-78fd54139b50 --resource server:web --map network:*=5c2c6a3c-1d2e-4f50-8c2c-6a3c1d2e4f50`,
	"mappingprofile create": `karbor mappingprofile create dr-site --map network:*=5c2cd7c0-5f5b-4d4b-8a60-0f6f0f1f8f6a --map flavor:big=small --power stopped`,
	"mappingprofile list":   `karbor mappingprofile list`,
	"mappingprofile show":   `karbor mappingprofile show dr-site -f json`,
	"mappingprofile delete": `karbor mappingprofile delete dr-site`,
	"restore undo":          `karbor restore undo 101bd74d-5b30-4fc0-962e-13aa1e5c5d8b --wait`,
	"restore list":          `karbor restore list --status fail`,
	"restore show":          `karbor restore show 101bd74d-5b30-4fc0-962e-13aa1e5c5d8b --wait`,
	"verification create":   `karbor verification create c99ad067-e5e2-4770-8547-78fd54139b50 --wait`,
	"verification list":     `karbor verification list --status error`,
	"verification show":     `karbor verification show 0f3b52f5-5d4f-4e0f-8c2c-6a3c1d2e4f50 -f yaml`,
	"drill create": `karbor drill create c99ad067-e5e2-4770-8547-78fd54139b50 --wait
karbor drill create c99ad067-e5e2-4770-8547-78fd54139b50 --probe active --probe console=ready --probe port=22,timeout=120 --wait
karbor drill create c99ad067-e5e2-4770-8547-78fd54139b50 --resource server:web --map flavor:*=m1.small`,
	"drill list":   `karbor drill list --verdict failed`,
	"drill show":   `karbor drill show 3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11 --wait`,
	"drill cancel": `karbor drill cancel 3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11 --reason "wrong checkpoint"`,
	"drill evidence": `karbor drill evidence 3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11 --output drill.json
karbor drill evidence 3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11 --html drill.html`,
	"drill keys":   `karbor drill keys > karbor-drills.pem`,
	"drill verify": `karbor drill verify drill.json --key karbor-drills.pem`,
	"drill delete": `karbor drill delete 3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11`,
	"copy create":  `karbor copy create shop --wait`,
	"copy list":    `karbor copy list bank --plan shop`,
	"copy show":    `karbor copy show bank 77a1c0de-5d4f-4e0f-8c2c-6a3c1d2e4f50`,
	"compliance show": `karbor compliance show
karbor compliance show --verified-days 30 --html report.html
karbor compliance show --fail-on late,unprotected -q`,
	"quotas show":       `karbor quotas show`,
	"quotas defaults":   `karbor quotas defaults`,
	"quotas detail":     `karbor quotas detail -f csv`,
	"quotas update":     `karbor quotas update demo --plans 100 --gigabytes=-1`,
	"quotas delete":     `karbor quotas delete demo`,
	"quotaclass show":   `karbor quotaclass show default`,
	"quotaclass update": `karbor quotaclass update default --checkpoints 100`,
	"trigger create": `karbor trigger create nightly --crontab "0 2 * * *"
karbor trigger create workdays --calendar @workdays.ics --window 900
karbor trigger create nightly time 'format=crontab,pattern=0 2 * * *'`,
	"trigger list":  `karbor trigger list --name night`,
	"trigger check": `karbor trigger check --crontab "0 3 * * *" --timezone Europe/Berlin --next 3`,
	"trigger show":  `karbor trigger show nightly --next 5`,
	"trigger update": `karbor trigger update nightly --crontab "30 3 * * *"
karbor trigger update nightly --no-end-time`,
	"trigger delete": `karbor trigger delete nightly`,
	"scheduledoperation create": `karbor scheduledoperation create shop-nightly retention_protect nightly --plan shop --max-backups 7
karbor scheduledoperation create shop-nightly protect nightly plan_id=ID,provider_id=ID`,
	"scheduledoperation list":   `karbor scheduledoperation list --trigger nightly`,
	"scheduledoperation show":   `karbor scheduledoperation show shop-nightly`,
	"scheduledoperation delete": `karbor scheduledoperation delete shop-nightly`,
	"scheduledoperation update": `karbor scheduledoperation update shop-nightly --trigger weekly
karbor scheduledoperation update shop-nightly --renew`,
	"scheduledoperation enable":      `karbor scheduledoperation enable shop-nightly`,
	"scheduledoperation disable":     `karbor scheduledoperation disable shop-nightly`,
	"scheduledoperation pause":       `karbor scheduledoperation pause shop-nightly --until 2026-12-31T22:00:00Z`,
	"scheduledoperation resume":      `karbor scheduledoperation resume shop-nightly`,
	"scheduledoperation run":         `karbor scheduledoperation run shop-nightly`,
	"scheduledoperation skip":        `karbor scheduledoperation skip shop-nightly`,
	"scheduledoperation log":         `karbor scheduledoperation log shop-nightly`,
	"service list":                   `karbor service list --binary karbor-operationengine`,
	"service enable":                 `karbor service enable controller1`,
	"service disable":                `karbor service disable controller1 --reason "new memory on Tuesday"`,
	"operationlog list":              `karbor operationlog list --plan shop --status error`,
	"operationlog show":              `karbor operationlog show 5f0c9a1e-5d4f-4e0f-8c2c-6a3c1d2e4f50`,
	"applicationcredential show":     `karbor applicationcredential show`,
	"applicationcredential delete":   `karbor applicationcredential delete`,
	"applicationcredential register": "openstack application credential create for-karbor\nkarbor applicationcredential register 4a2e… --secret - < secret",
	"man":                            `karbor man ~/.local/share/man/man1`,
	"completion bash":                `karbor completion bash > /etc/bash_completion.d/karbor`,
	"completion zsh":                 `karbor completion zsh > "${fpath[1]}/_karbor"`,
	"completion fish":                `karbor completion fish > ~/.config/fish/completions/karbor.fish`,
}

// explain gives each command below c its example, and a group a hint where to go on.
func explain(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if text, ok := examples[strings.TrimPrefix(sub.CommandPath(), "karbor ")]; ok {
			sub.Example = "  " + strings.ReplaceAll(text, "\n", "\n  ")
		}
		explain(sub)
	}
}
