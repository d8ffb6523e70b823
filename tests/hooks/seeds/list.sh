# GET /repos/:owner/:repo/hooks
curl -u "user:$PASSWORD" -i \
  "$API/repos/octocat/Hello-World/hooks"
