"""Ask Python's oslo.policy for decisions.

Standard input holds one JSON object per line: the first is {"worlds": [...]}, each
world with "rules", "creds" and "target"; each following one is {"rule": ...}, a rule
as a policy file has it. For each rule one line comes out: whether the rule was
understood, and its decision in each world: y, n, or e where deciding fails.
"""

import json
import logging
import sys

from oslo_config import cfg
from oslo_policy import _checks
from oslo_policy import policy

NAME = 'the rule'


class Complaints(logging.Handler):
    """Counts what oslo.policy logs while it reads rules."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record):
        self.count += 1


def decide(enforcer, world, rule):
    rules = dict(world['rules'])
    rules[NAME] = rule
    enforcer.set_rules(policy.Rules.from_dict(rules, 'default'))
    enforcer.rules.default_rule = 'default'
    try:
        answer = enforcer.enforce(NAME, world['target'], dict(world['creds']))
    except Exception:
        return 'e'
    return 'y' if answer else 'n'


def main():
    complaints = Complaints()
    logging.getLogger('oslo_policy').addHandler(complaints)
    logging.getLogger('oslo_policy').propagate = False
    conf = cfg.ConfigOpts()
    conf([])
    enforcer = policy.Enforcer(conf, use_conf=False)
    worlds = json.loads(sys.stdin.readline())['worlds']
    for line in sys.stdin:
        rule = json.loads(line)['rule']
        complaints.count = 0
        parsed = policy._parser.parse_rule(rule)
        understood = complaints.count == 0 and isinstance(parsed, _checks.BaseCheck)
        answers = ''.join(decide(enforcer, w, rule) for w in worlds)
        print(json.dumps({'understood': understood, 'answers': answers}))


if __name__ == '__main__':
    main()
