# The endpoint of SocialGateway Enterprise; hub.topic is not changed
curl -u "user:$PASSWORD" -i \
  "$API/api/v3/hub" \
  -F "hub.mode=subscribe" \
  -F "hub.topic=$SITE/octocat/Hello-World/events/push" \
  -F "hub.callback=$POSTBIN/123"
